/*
 * Script Action `Curfew: send`
 * Event name: curfew.ticket
 */
new CurfewNotice().send(current, parseInt(event.parm1, 10) || 0, event.parm2);
